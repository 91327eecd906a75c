import type { OpenRun } from "../runs/open-run.js";
import { openOnnx, type RuntimeOptions } from "../runtime/index.js";
import { median } from "../util/median.js";
import { RandomStream } from "../util/random.js";

/** Names of the forms to compare. */
type Form = "constant" | "assembled";

/** Time that a form takes. */
export interface FormTime {
  readonly form: "constant" | "assembled";
  readonly batch: number;
  /** Median per batch. */
  readonly milliseconds: number;
}

const WARM_UP = 2;
const ROUNDS = 9;

/**
 * Times the forms of a network on batches of random images, alternating between them, and returns the faster
 * one.
 *
 * @param inputName name of the image input in both forms
 */
export async function compareForms(
  forms: Readonly<Record<Form, Uint8Array>>,
  { imageSize }: Pick<OpenRun, "imageSize">,
  batch: number,
  inputName: string,
  runtime: Pick<RuntimeOptions, "threads"> = {},
): Promise<{ readonly chosen: Form; readonly times: readonly FormTime[] }> {
  const { constant, assembled } = forms;
  // Networks without such layers have only one form.
  if (Buffer.compare(withoutForm(constant), withoutForm(assembled)) === 0)
    return { chosen: "constant", times: [] };
  const shape = [batch, 3, imageSize, imageSize];
  const random = new RandomStream(0, "form times");
  const data = Float32Array.from({ length: batch * 3 * imageSize ** 2 }, () => random.normal());
  const contestants = [];
  for (const form of ["constant", "assembled"] as const) {
    const model = await openOnnx(forms[form], { device: "cpu", ...runtime });
    contestants.push({ form, model, times: [] as number[] });
  }
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const { model, times } of contestants) {
      const start = performance.now();
      await model.run({ [inputName]: { dtype: "float32", shape, data } });
      if (round >= 0) times.push(performance.now() - start);
    }
  }
  for (const { model } of contestants) await model.dispose();
  const times = contestants.map(({ form, times }) => ({ form, batch, milliseconds: median(times) }));
  const [first, second] = times;
  return { chosen: second!.milliseconds < first!.milliseconds ? "assembled" : "constant", times };
}

/** The bytes of a model without its metadata, which may be the only difference between two forms. */
function withoutForm(model: Uint8Array): Buffer {
  return Buffer.from(
    Buffer.from(model)
      .toString("latin1")
      .replace(/"form":"(constant|assembled)"/, ""),
    "latin1",
  );
}
