import type { Module } from "../nn/index.js";
import type { OperatorTimes } from "../runtime/index.js";
import { groupBy } from "../util/group.js";
import { median } from "../util/median.js";
import { operatorCost } from "./operator-cost.js";
import { trainingWorkload, type WorkloadOptions } from "./workload.js";

const WARM_UP_STEPS = 3;

/** Options of {@link profileTraining}. */
export interface ProfileOptions extends WorkloadOptions {
  /** Measured steps, after 3 warm-up steps. Defaults to 10. */
  readonly steps?: number;
}

/** Work per step of an operator, or of all operators of a type. */
interface OperatorWork {
  /** Median over the steps. */
  readonly milliseconds: number;
  /** Share of the total operator time, from 0 to 1. */
  readonly share: number;
  /** A multiply-add counts as two operations. Only present for convolutions and matrix products. */
  readonly gigaflopsPerSecond?: number;
  /** Inputs and outputs, each counted once. */
  readonly gigabytesPerSecond: number;
}

/** An operator of a training step. */
export interface OperatorProfile extends OperatorWork {
  /**
   * Path of the module, then the operator. The path ends in `.grad` for gradients, in `.update` for updates.
   */
  readonly name: string;
  /** ONNX operator. */
  readonly type: string;
  readonly outputShape: readonly number[];
}

/** All operators of a type. */
export interface OperatorTypeProfile extends OperatorWork {
  readonly type: string;
  readonly count: number;
}

/** Where the time of a training step goes. */
export interface TrainingProfile {
  /** Slowest first. */
  readonly operators: readonly OperatorProfile[];
  /** Slowest first. */
  readonly types: readonly OperatorTypeProfile[];
  /** Median time of a step, including the overhead of profiling. */
  readonly stepMilliseconds: number;
  /** The part of it spent in operators. */
  readonly operatorMilliseconds: number;
  /** Multiply-adds of all operators in a step. */
  readonly multiplyAdds: number;
  /** Based on the multiply-adds and the time of a step. A multiply-add counts as two operations. */
  readonly gigaflopsPerSecond: number;
}

interface MeasuredOperator {
  readonly operator: OperatorTimes;
  readonly milliseconds: number;
  readonly multiplyAdds: number;
  readonly bytes: number;
}

/**
 * Times each operator of a training step on random images, as run by `benchmark`.
 *
 * @throws RuntimeUnavailableError if the device is unavailable, or cannot time its operators
 */
export async function profileTraining(model: Module, options: ProfileOptions): Promise<TrainingProfile> {
  const { steps = 10, ...workloadOptions } = options;
  let measured: readonly OperatorTimes[] = [];
  const onProfile = (operators: readonly OperatorTimes[]) => {
    measured = operators;
  };
  const workload = await trainingWorkload(model, { ...workloadOptions, onProfile });
  const milliseconds: number[] = [];
  try {
    for (let n = 0; n < WARM_UP_STEPS + steps; n++) {
      const start = performance.now();
      await workload.run();
      milliseconds.push(performance.now() - start);
    }
  } finally {
    await workload.dispose();
  }
  return summarizeSteps(measured, milliseconds);
}

function summarizeSteps(operators: readonly OperatorTimes[], steps: readonly number[]): TrainingProfile {
  const measured = operators.map((operator): MeasuredOperator => {
    const milliseconds = median(operator.milliseconds.slice(WARM_UP_STEPS));
    return { operator, milliseconds, ...operatorCost(operator) };
  });
  const operatorMilliseconds = total(measured, "milliseconds");
  const multiplyAdds = total(measured, "multiplyAdds");
  const stepMilliseconds = median(steps.slice(WARM_UP_STEPS));
  const byType = groupBy(measured, ({ operator }) => operator.type);
  return {
    operators: measured
      .map(({ operator: { name, type, outputs }, ...rest }) => ({
        ...{ name, type, outputShape: outputs[0]?.shape ?? [] },
        ...workOf([rest], operatorMilliseconds),
      }))
      .sort(slowestFirst),
    types: [...byType]
      .map(([type, members]) => ({ type, count: members.length, ...workOf(members, operatorMilliseconds) }))
      .sort(slowestFirst),
    stepMilliseconds,
    operatorMilliseconds,
    multiplyAdds,
    gigaflopsPerSecond: (2 * multiplyAdds) / stepMilliseconds / 1e6,
  };
}

type Counts = Omit<MeasuredOperator, "operator">;

function workOf(members: readonly Counts[], operatorMilliseconds: number): OperatorWork {
  const milliseconds = total(members, "milliseconds");
  const perSecond = (count: number) => (milliseconds === 0 ? 0 : count / milliseconds / 1e6);
  const multiplyAdds = total(members, "multiplyAdds");
  return {
    milliseconds,
    share: milliseconds / operatorMilliseconds,
    ...(multiplyAdds > 0 && { gigaflopsPerSecond: perSecond(2 * multiplyAdds) }),
    gigabytesPerSecond: perSecond(total(members, "bytes")),
  };
}

function total(members: readonly Counts[], key: keyof Counts): number {
  return members.reduce((sum, member) => sum + member[key], 0);
}

function slowestFirst(a: OperatorWork, b: OperatorWork): number {
  return b.milliseconds - a.milliseconds;
}
