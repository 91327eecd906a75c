import { describe, expect, it } from "vitest";
import { readPickle } from "../../src/data/pickle.js";
import { NdArray } from "../../src/data/pickle-numpy.js";
import { DataError } from "../../src/errors/index.js";

const latin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const read = (text: string) => readPickle(latin1(text), "batch");

function refusal(text: string): DataError {
  try {
    read(text);
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return error as DataError;
  }
  throw new Error("the pickle was read");
}

// numpy.arange(6, dtype=uint8).reshape(2, 3), as Python 2 and as Python 3 pickle it at protocol 2.
const HEAD = "\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85";
const dtype = (code: string) =>
  `cnumpy\ndtype\nU\x02${code}K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb`;
const array = (data: string, code = "u1", order = "\x89") =>
  `${HEAD}U\x01b\x87R(K\x01K\x02K\x03\x86${dtype(code)}${order}${data}tb.`;
const PYTHON_2 = "U\x06\x00\x01\x02\x03\x04\x05";
const PYTHON_3 = "c_codecs\nencode\nX\x06\x00\x00\x00\x00\x01\x02\x03\x04\x05X\x06\x00\x00\x00latin1\x86R";

describe("readPickle", () => {
  it("reads values of protocol 0", () => {
    expect(read("(dp0\nS'a\\n'\np1\nI3\nsS'b'\n(lp2\nL5L\naI01\naF1.5\naVx\\u00e9\nag1\nas.")).toEqual(
      new Map<string, unknown>([
        ["a\n", 3],
        ["b", [5, true, 1.5, "xé", latin1("a\n")]],
      ]),
    );
  });

  it("reads values of protocols 2 to 5, with byte keys as strings", () => {
    const body =
      "}\x94(C\x01k\x94]\x94(M\x00\x01J\xfe\xff\xff\xff\x8a\x01\xffN\x88G\x3f\xf8\x00\x00\x00\x00\x00\x00e\x8c\x02\xc3\xa9C\x01\xffu.";
    expect(read(`\x80\x05\x95\x20\x00\x00\x00\x00\x00\x00\x00${body}`)).toEqual(
      new Map<string, unknown>([
        ["k", [256, -2, -1, null, true, 1.5]],
        ["é", new Uint8Array([255])],
      ]),
    );
  });

  it.each([
    ["Python 2", PYTHON_2],
    ["Python 3", PYTHON_3],
  ])("reads a NumPy array of %s", (_, data) => {
    const value = read(array(data));
    expect(value).toBeInstanceOf(NdArray);
    expect(value).toMatchObject({ shape: [2, 3], data: new Uint8Array([0, 1, 2, 3, 4, 5]) });
  });

  it.each([
    ["another dtype", array(PYTHON_2, "f4"), /dtype f4, expected u1/],
    ["Fortran order", array(PYTHON_2, "u1", "\x88"), /Fortran order/],
    ["too few bytes", array("U\x01\x00"), /1 bytes, expected 6/],
  ])("refuses an array with %s", (_, pickle, message) => {
    expect(refusal(pickle).message).toMatch(message);
  });

  it.each([
    ["os.system", "cos\nsystem\n(S'touch /tmp/evil'\ntR."],
    ["builtins.eval", "\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R."],
    ["os.system", "(S'true'\nios\nsystem\n."],
    ["numpy.load", "cnumpy\nload\n."],
  ])("refuses the global %s by its name", (name, pickle) => {
    const error = refusal(pickle);
    expect(error.message).toContain(`asks for ${name}`);
    expect(error.hint).toContain("Nothing in it was executed");
  });

  it("names an unknown opcode and its place", () => {
    expect(refusal("\x80\x02\x81.").message).toContain("unknown opcode 0x81 at byte 2");
  });

  it("answers every truncation with a DataError", () => {
    const whole = array(PYTHON_3);
    for (let end = 0; end < whole.length; end++) expect(refusal(whole.slice(0, end)).hint).toBeDefined();
  });

  it("answers every flipped byte with a value or a DataError", () => {
    const whole = latin1(array(PYTHON_3));
    for (let i = 0; i < whole.length; i++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bad = whole.slice();
        bad[i]! ^= flip;
        try {
          readPickle(bad, "batch");
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }
    }
  });

  it.each(["a.", "u.", "t.", "h\x00.", "R.", ".", "Nb.", "(.", "\x8e\xff\xff\xff\xff\xff\xff\xff\xff."])(
    "answers the senseless stream %j with a DataError",
    (pickle) => {
      expect(refusal(pickle).message).toMatch(/^batch: the pickle /);
    },
  );
});
