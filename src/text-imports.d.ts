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
declare module "*.service" {
  const text: string;
  export default text;
}
declare module "*.sysusers" {
  const text: string;
  export default text;
}
declare module "*.env" {
  const text: string;
  export default text;
}
