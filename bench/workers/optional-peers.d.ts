// The part of the optional JavaScript peers in use. They need not be installed.

declare module "@tensorflow/tfjs-core" {
  export interface Tensor {
    data(): Promise<Float32Array>;
    dispose(): void;
  }
  export function setBackend(name: string): Promise<boolean>;
  export function randomNormal(shape: readonly number[]): Tensor;
  export function tidy<T>(run: () => T): T;
  export function conv2d(x: Tensor, filter: Tensor, strides: number, pad: "same"): Tensor;
  export function reshape(x: Tensor, shape: readonly number[]): Tensor;
  export function mean(x: Tensor, axes: readonly number[]): Tensor;
  export function sum(x: Tensor, axis: number): Tensor;
  export function matMul(a: Tensor, b: Tensor): Tensor;
  export function mul(a: Tensor, b: Tensor): Tensor;
  export function add(a: Tensor, b: Tensor): Tensor;
  export function relu(x: Tensor): Tensor;
  export function softmax(x: Tensor): Tensor;
}

declare module "@tensorflow/tfjs-backend-wasm" {}

declare module "@jax-js/jax" {
  export interface Array {
    /** The same array, for another use: functions consume their arguments. */
    readonly ref: Array;
    data(): Promise<Float32Array>;
    reshape(shape: readonly number[]): Array;
    dispose(): void;
  }
  export function init(device: "wasm"): Promise<unknown>;
  export function defaultDevice(device: "wasm"): void;
  export function jit(run: (...args: Array[]) => Array): (...args: Array[]) => Array;
  export const random: {
    key(seed: number): Array;
    normal(key: Array, shape: readonly number[]): Array;
  };
  export const lax: {
    conv(x: Array, filter: Array, strides: readonly number[], padding: "SAME"): Array;
  };
  export const nn: { relu(x: Array): Array; softmax(x: Array, axis: number): Array };
  export const numpy: {
    matmul(a: Array, b: Array): Array;
    multiply(a: Array, b: Array): Array;
    add(a: Array, b: Array): Array;
    sum(x: Array, axis: number): Array;
    mean(x: Array, axis: readonly number[]): Array;
  };
}
