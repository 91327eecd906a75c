import { loadSharp } from "../../util/sharp.js";

let answer: Promise<boolean> | undefined;

/**
 * Whether text can be drawn into PNGs. A machine without fonts, such as a small container, draws every letter
 * as the same box. Installing any font, such as DejaVu, helps.
 */
export function canDrawText(): Promise<boolean> {
  answer ??= Promise.all([drawText("i"), drawText("W")]).then(([narrow, wide]) => !narrow.equals(wide));
  return answer;
}

async function drawText(text: string): Promise<Buffer> {
  const sharp = await loadSharp();
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32"><text y="24" font-size="24">${text}</text></svg>`;
  return sharp(Buffer.from(svg)).raw().toBuffer();
}
