/** What ends the demo and somebody can do something about. */
export class DemoError extends Error {
  override readonly name = "DemoError";

  constructor(
    message: string,
    readonly remedy: string,
  ) {
    super(message);
  }
}
