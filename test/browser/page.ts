/** The page that browser.test.ts loads: it offers what the test calls. */
import { trainSmallNetwork } from "../runtime/small-network.js";

const offered = { trainSmallNetwork };

/** What the page offers. */
export type Offered = typeof offered;

Object.assign(globalThis, offered);
