import { describe, expect, test } from "vitest";
import { optionsInEffect } from "../../src/models/network-options.js";

const values = {
  dynamic: "none",
  where: "published",
  experts: 4,
  branch: "paper",
  cellRatio: 1,
  router: "block",
};

describe("optionsInEffect", () => {
  test("leaves a static network none of the options of dynamic layers", () => {
    expect(optionsInEffect({ ...values, dropout: 0.5 })).toEqual({ dynamic: "none", dropout: 0.5 });
  });

  test.each([
    ["dyconv", { branch: "paper" }],
    ["kernel-warehouse", { cellRatio: 1 }],
    ["condconv", { router: "block" }],
    ["odconv", {}],
  ])("leaves %s its own options", (dynamic, own) => {
    expect(optionsInEffect({ ...values, dynamic })).toEqual({
      dynamic,
      where: "published",
      experts: 4,
      ...own,
    });
  });

  test("leaves a network without such a choice all its options", () => {
    expect(optionsInEffect({ experts: 2, ratio: 4 })).toEqual({ experts: 2, ratio: 4 });
  });
});
