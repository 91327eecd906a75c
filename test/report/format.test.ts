import { expect, test } from "vitest";
import {
  formatAccuracy,
  formatBytes,
  formatCount,
  formatDuration,
  formatOperations,
  formatPercent,
} from "../../src/report/index.js";

test.each([
  [formatCount(8324368), "8,324,368"],
  [formatCount(1763.6), "1,764"],
  [formatPercent(0.8209), "82.09%"],
  [formatAccuracy(0.75152), "0.7515"],
  [formatBytes(0), "0 B"],
  [formatBytes(999), "999 B"],
  [formatBytes(999_999), "1 MB"],
  [formatBytes(33_297_472), "33.3 MB"],
  [formatOperations(312.9e6), "313 M"],
  [formatOperations(12), "12"],
  [formatDuration(0.0851), "85 ms"],
  [formatDuration(0.9999), "1.0 s"],
  [formatDuration(12.34), "12.3 s"],
  [formatDuration(59.97), "1 min 00 s"],
  [formatDuration(185), "3 min 05 s"],
  [formatDuration(3599.7), "1 h 00 min"],
  [formatDuration(3725), "1 h 02 min"],
])("%s", (formatted, expected) => {
  expect(formatted).toBe(expected);
});
