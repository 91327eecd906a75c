import { Help, type HelpConfiguration } from "commander";

/** Columns that a description needs beside its flag; with fewer, it stands below. */
const LEAST_BESIDE = 34;
const INDENT = " ".repeat(6);

const widthOf = ({ helpWidth = 80 }: Help) => helpWidth;

/** Help that fits the terminal: headings are wrapped, and so are descriptions in narrow ones. */
export const HELP_LAYOUT: HelpConfiguration = {
  minWidthToWrap: 20,
  formatItem: (term, termWidth, description, helper) => {
    const beside = widthOf(helper) - termWidth - 4;
    if (description === "" || beside >= LEAST_BESIDE) {
      return Help.prototype.formatItem.call(helper, term, termWidth, description, helper);
    }
    const below = helper.boxWrap(description, widthOf(helper) - INDENT.length);
    return `  ${term}\n${below.replace(/^/gm, INDENT)}`;
  },
  formatItemList: (heading, items, helper) => {
    const lines = heading.length > widthOf(helper) ? helper.boxWrap(heading, widthOf(helper)) : heading;
    return Help.prototype.formatItemList.call(helper, lines, items, helper);
  },
};
