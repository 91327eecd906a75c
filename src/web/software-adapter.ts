/** TypeScript's own library does not know WebGPU. */
interface Gpu {
  requestAdapter(): Promise<{ readonly info?: { readonly isFallbackAdapter?: boolean } } | null>;
}

/** Whether the page's WebGPU is one that the processor computes. */
export async function softwareAdapter(): Promise<boolean> {
  const { gpu } = navigator as Navigator & { readonly gpu?: Gpu };
  const adapter = await gpu?.requestAdapter().catch(() => null);
  return adapter?.info?.isFallbackAdapter === true;
}
