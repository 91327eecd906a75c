/** Measures the peak performance of the cores, and prints it as JSON. Argument: the number of threads. */
import { measureMachine } from "dyconv/node";

const rates = await measureMachine({ threads: Number(process.argv[2]) });
console.log(
  JSON.stringify({
    gigaflopsPerSecond: Math.round(rates.gigaflopsPerSecond),
    gigabytesCopiedPerSecond: Number(rates.gigabytesCopiedPerSecond.toFixed(1)),
  }),
);
