/** Measures what the cores can do at best, and prints it as JSON. Argument: the number of threads. */
import { measureMachine } from "dyconv/node";

const rates = await measureMachine({ threads: Number(process.argv[2]) });
console.log(
  JSON.stringify({
    gigaflopsPerSecond: Math.round(rates.gigaflopsPerSecond),
    gigabytesCopiedPerSecond: Number(rates.gigabytesCopiedPerSecond.toFixed(1)),
  }),
);
