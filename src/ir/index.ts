export * from "./graph.js";
export * from "./machine.js";
export * from "./pattern.js";
export * from "./print.js";
export * from "./scope.js";
export * from "./tensor.js";
export * from "./types.js";
export * from "./verify.js";
