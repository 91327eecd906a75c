/** What becomes of an image that is not square: `"stretch"` changes its proportions, `"crop"` keeps its middle. */
export type ImageFit = "stretch" | "crop";

/** Height and width images are brought to, and how. */
export interface ImageShape {
  /** Height and width, in pixels. */
  readonly size: number;
  /** `"stretch"` by default. */
  readonly fit?: ImageFit | undefined;
}
