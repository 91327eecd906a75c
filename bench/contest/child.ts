import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Contender } from "./contenders.js";
import type { Failure, Greeting, Opened, Request, Round, Task } from "./protocol.js";

type Answer = Greeting | Opened | Round | Failure;

/** Number of characters of a failed process's output to show. */
const LAST_WORDS = 2000;

/** A contender's process, as seen from the benchmark. It only works between a request and its answer. */
export class Child {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #stderr = "";

  private constructor(readonly contender: Contender) {
    const { command, args, env } = contender;
    this.#process = spawn(command, args, { env: { ...process.env, ...env }, stdio: "pipe" });
    this.#process.stderr!.on("data", (text) => {
      this.#stderr = (this.#stderr + text).slice(-LAST_WORDS);
    });
    // A process that could not be started, or has ended, is noticed when its answer is missing.
    this.#process.on("error", ({ message }) => {
      this.#stderr = message;
    });
    this.#process.stdin!.on("error", () => {});
    this.#answers = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  /** @throws Error with the last output of a process that cannot be started */
  static async start(contender: Contender): Promise<Child> {
    const child = new Child(contender);
    await child.#answer();
    return child;
  }

  /** Prepares a task, replacing the previous one. */
  async open(task: Task): Promise<void> {
    await this.#ask({ open: task, variant: this.contender.variant });
  }

  /** Runs the task repeatedly, for about this many seconds but at least twice. */
  async round(seconds: number): Promise<Round> {
    return (await this.#ask({ round: seconds })) as Round;
  }

  /** Ends the process, and waits until it has exited. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.stdin!.end();
    await ended;
  }

  #ask(request: Request): Promise<Answer> {
    this.#process.stdin!.write(`${JSON.stringify(request)}\n`);
    return this.#answer();
  }

  async #answer(): Promise<Answer> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the process ended. ${this.#stderr.trim()}`);
    const answer = JSON.parse(value) as Answer;
    if ("error" in answer) throw new Error(answer.error);
    return answer;
  }
}

/** Starts contenders, passes those that started to `run`, and ends them. */
export async function withChildren<T>(
  contenders: readonly Contender[],
  run: (children: readonly Child[]) => Promise<T>,
): Promise<T> {
  const children: Child[] = [];
  try {
    for (const contender of contenders) {
      try {
        children.push(await Child.start(contender));
      } catch (error) {
        console.error(`${contender.title} is left out: ${(error as Error).message}`);
      }
    }
    return await run(children);
  } finally {
    for (const child of children) await child.close();
  }
}
