/**
 * A Vega-Lite specification as a JSON object. Vega-Lite's own type is only used inside this room, to check
 * literals: it fails to compile for users with `exactOptionalPropertyTypes` who check libraries.
 */
export type FigureSpec = Readonly<Record<string, unknown>>;
