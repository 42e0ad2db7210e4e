/** The text of `enhance.js`: it is imported with `{ type: "text" }`. */
declare const text: string;
export default text;
