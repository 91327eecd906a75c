import { describe, expect, it } from "vitest";
import { escapeName, escapeText } from "../../src/cli/terminal/escape.js";
import { printable } from "../../src/cli/terminal/terminal.js";

const TITLE = "\u001b]0;owned\u0007";

describe("what reaches the terminal", () => {
  it("holds no control of a name, in text and on the line that is drawn anew", () => {
    const written: string[] = [];
    const keep = (text: string) => void written.push(text);
    const terminal = printable({ width: 80, colour: true, live: true, out: keep, err: keep, draw: keep });
    terminal.out(`${TITLE}cat\n`);
    terminal.err("a\u009b2Jb\u202ec\r\n");
    terminal.draw("\u001b[1mcat");
    expect(written).toEqual(["\\x1b]0;owned\\x07cat\n", "a\\x9b2Jb\\u202ec\\x0d\n", "\\x1b[1mcat"]);
  });

  it("keeps bold and colours where they are shown, and the lines of text", () => {
    expect(escapeText("\u001b[1mhead\u001b[22m\n\ttäxt 猫 👩‍🔬\n", true)).toBe(
      "\u001b[1mhead\u001b[22m\n\ttäxt 猫 👩‍🔬\n",
    );
    expect(escapeText("\u001b[1mhead", false)).toBe("\\x1b[1mhead");
    expect(escapeText("\u001b[8mhidden\u001b[2J", true)).toBe("\\x1b[8mhidden\\x1b[2J");
  });

  it("has a name on one line", () => {
    expect(escapeName("cat\nerror: none")).toBe("cat\\x0aerror: none");
  });
});
