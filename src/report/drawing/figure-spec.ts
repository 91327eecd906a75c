/**
 * A Vega-Lite specification, an object of JSON. Vega-Lite's own type is for checking literals inside this room: it does
 * not hold where a user has `exactOptionalPropertyTypes` on and libraries checked.
 */
export type FigureSpec = Readonly<Record<string, unknown>>;
