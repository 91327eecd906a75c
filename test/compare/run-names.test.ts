import { expect, it } from "vitest";
import { runNames } from "../../src/compare/run-names.js";

it.each([
  [["runs/dy"], ["dy"]],
  [
    ["runs/dy", "runs/static/"],
    ["dy", "static"],
  ],
  [
    ["a/run", "b/run", "b/other"],
    ["a/run", "b/run", "other"],
  ],
  [
    ["/x/a/run", "/y/a/run"],
    ["x/a/run", "y/a/run"],
  ],
  [
    ["/run", "/x/run"],
    ["/run", "x/run"],
  ],
])("names %j %j", (folders, names) => {
  expect(runNames(folders)).toEqual(names);
});
