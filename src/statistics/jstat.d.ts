/** The part of jstat in use, which ships no types. */
declare module "jstat" {
  interface Distributions {
    readonly binomial: { cdf(successes: number, trials: number, probability: number): number };
    readonly normal: { inv(probability: number, mean: number, deviation: number): number };
    readonly studentt: {
      inv(probability: number, freedom: number): number;
      cdf(t: number, freedom: number): number;
    };
  }
  export const jStat: Distributions;
  const module: { readonly jStat: Distributions };
  export default module;
}
