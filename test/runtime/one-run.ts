/** Run by telemetry.test.ts in a process of its own: compiles and runs a function with default settings. */
import { add, compile, spec } from "dyconv";

const fn = await compile((x) => add(x, 1), [spec([2])]);
const sum = await fn(Float32Array.of(1, 2));
await fn.dispose();
console.log(`${sum.join()} ${process.env.ORT_DISABLE_TELEMETRY}`);
