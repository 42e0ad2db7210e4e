declare module "*.png" {
  /** Where the picture is on the built site. */
  const url: string;
  export default url;
}
