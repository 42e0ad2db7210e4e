declare module "*.sql" {
  const text: string;
  export default text;
}
declare module "*.css" {
  const text: string;
  export default text;
}
declare module "*.woff2" {
  /** Where the file is. */
  const path: string;
  export default path;
}
declare module "*.gz" {
  /** Where the file is. */
  const path: string;
  export default path;
}
