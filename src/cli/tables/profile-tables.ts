import type { OperatorProfile, OperatorTypeProfile } from "../../inspect/profile.js";
import { type Alignment, formatCount, formatPercent, formatTable, MISSING } from "../../report/index.js";
import type { Terminal } from "../terminal/terminal.js";

const SHOWN_OPERATORS = 25;
const SHOWN_TYPES = 12;
/** Least terminal width, in columns, with room for shapes. */
const WIDE = 100;

interface Column<T> {
  readonly title: string;
  readonly align?: Alignment;
  readonly cell: (row: T) => string;
}

type Work = Pick<OperatorProfile, "milliseconds" | "share" | "gigaflopsPerSecond" | "gigabytesPerSecond">;

const WORK: readonly Column<Work>[] = [
  { title: "ms", cell: ({ milliseconds }) => milliseconds.toFixed(2) },
  { title: "share", cell: ({ share }) => formatPercent(share) },
  { title: "GFLOP/s", cell: ({ gigaflopsPerSecond }) => gigaflopsPerSecond?.toFixed(1) ?? MISSING },
  { title: "GB/s", cell: ({ gigabytesPerSecond }) => gigabytesPerSecond.toFixed(1) },
];

/** Formats the slowest operators. */
export function formatOperators(rows: readonly OperatorProfile[], terminal: Terminal): string {
  const columns: readonly Column<OperatorProfile>[] = [
    { title: "operator", align: "left", cell: ({ name }) => name },
    { title: "type", align: "left", cell: ({ type }) => type },
    ...(terminal.width >= WIDE
      ? [{ title: "output", cell: ({ outputShape }: OperatorProfile) => outputShape.join("×") }]
      : []),
    ...WORK,
  ];
  return formatSlowest("operators", columns, rows, SHOWN_OPERATORS, terminal);
}

/** Formats the operator types that take the most time. */
export function formatOperatorTypes(rows: readonly OperatorTypeProfile[], terminal: Terminal): string {
  const columns: readonly Column<OperatorTypeProfile>[] = [
    { title: "type", align: "left", cell: ({ type }) => type },
    { title: "count", cell: ({ count }) => formatCount(count) },
    ...WORK,
  ];
  return formatSlowest("types", columns, rows, SHOWN_TYPES, terminal);
}

function formatSlowest<T extends Work>(
  what: string,
  columns: readonly Column<T>[],
  rows: readonly T[],
  shown: number,
  { width, colour }: Terminal,
): string {
  const table = formatTable(
    columns.map(({ title }) => title),
    rows.slice(0, shown).map((row) => columns.map(({ cell }) => cell(row))),
    { width, colour, align: columns.map(({ align = "right" }) => align) },
  );
  const others = rows.slice(shown);
  if (others.length === 0) return table;
  const share = others.reduce((sum, row) => sum + row.share, 0);
  return `${table}\n${formatCount(others.length)} other ${what}: ${formatPercent(share)}\n`;
}
