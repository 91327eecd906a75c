import { describe, expect, it } from "vitest";
import { decodeTorch } from "../../src/weights/torch-file.js";

const latin1 = (text: string) => Buffer.from(text, "latin1");

/** A zip archive of stored entries. */
function zip(entries: Readonly<Record<string, Uint8Array>>, method = 0): Uint8Array {
  const body: Buffer[] = [];
  const table: Buffer[] = [];
  let at = 0;
  for (const [name, data] of Object.entries(entries)) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(data.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(at, 42);
    body.push(local, latin1(name), Buffer.from(data));
    table.push(central, latin1(name));
    at += 30 + name.length + data.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(entries).length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...body, ...table, end]);
}

const tuple = (...numbers: number[]) => `(${numbers.map((n) => `K${String.fromCharCode(n)}`).join("")}t`;
const text = (value: string) => `X${String.fromCharCode(value.length)}\0\0\0${value}`;
const tensor = (offset: number, shape: number[], strides: number[], type = "FloatStorage", key = "0") =>
  `ctorch._utils\n_rebuild_tensor_v2\n((${text("storage")}ctorch\n${type}\n${text(key)}${text("cpu")}K\x06tQ` +
  `K${String.fromCharCode(offset)}${tuple(...shape)}${tuple(...strides)}\x89ccollections\nOrderedDict\n)RtR`;
const state = (value: string) => `\x80\x02ccollections\nOrderedDict\n)R${text("a.weight")}${value}s.`;
const floats = new Uint8Array(new Float32Array([0, 1, 2, 3, 4, 5]).buffer);
const file = (pickle: string, data = floats) => zip({ "w/data.pkl": latin1(pickle), "w/data/0": data });
const decode = (pickle: string, data = floats) => decodeTorch(file(pickle, data), "w.pth");

describe("decodeTorch", () => {
  it("reads a view by its offset and strides", () => {
    expect(decode(state(tensor(1, [2, 2], [1, 3])))).toEqual({
      "a.weight": { dtype: "float32", shape: [2, 2], data: new Float32Array([1, 4, 2, 5]) },
    });
  });

  it("reads bfloat16 as float32", () => {
    const data = new Uint8Array([0x80, 0x3f, 0x00, 0xc0]);
    const read = decode(state(tensor(0, [2], [1], "BFloat16Storage")), data);
    expect(read["a.weight"]!.data).toEqual(new Float32Array([1, -2]));
  });

  it("reads a checkpoint's state dictionary", () => {
    const nested = `\x80\x02}${text("state_dict")}}${text("a")}${tensor(0, [6], [1])}ss.`;
    expect(Object.keys(decode(nested))).toEqual(["a"]);
  });

  it.each([
    ["a call of os.system", `cos\nsystem\n(${text("true")}tR.`, /asks for os\.system; only tensors/],
    ["a view past its storage", state(tensor(3, [2, 2], [2, 1])), /outside its storage of 6/],
    ["a tensor that repeats its storage", state(tensor(0, [100], [0])), /outside its storage of 6/],
    ["strides that do not fit the shape", state(tensor(0, [2, 2], [1])), /too many or too few strides/],
    ["a storage that is not there", state(tensor(0, [1], [1], "FloatStorage", "9")), /asks for storage 9/],
    ["an unknown storage", state(tensor(0, [1], [1], "QInt8Storage")), /asks for torch\.QInt8Storage/],
    ["no tensors", "\x80\x02}.", /no tensors found/],
    ["a dictionary in itself", `\x80\x02}q\x05${text("model")}h\x05s.`, /no tensors found/],
    ["a pickle cut short", "\x80\x02}", /ends in the middle/],
  ])("refuses %s", (_, pickle, message) => {
    expect(() => decode(pickle)).toThrow(message);
  });

  it("refuses more tensors of one storage than a file accounts for", () => {
    const big = new Uint8Array(100_000);
    const row = (n: number) => `${text(`b${n}`)}${tensor(0, [250, 100], [100, 1])}`;
    const rows = Array.from({ length: 40 }, (_, n) => row(n)).join("");
    expect(() => decode(`\x80\x02}(${rows}u.`, big)).toThrow(/more than \d+ bytes together/);
  });

  it("refuses compressed entries and archives cut short", () => {
    expect(() => decodeTorch(zip({ "w/data.pkl": floats }, 8), "w.pth")).toThrow(
      /compressed entry w\/data\.pkl/,
    );
    const whole = file(state(tensor(0, [6], [1])));
    for (const length of [0, 10, 100, whole.length - 1]) {
      expect(() => decodeTorch(whole.subarray(0, length), "w.pth")).toThrow(/was cut off/);
    }
  });
});
