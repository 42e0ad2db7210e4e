// preact's types bring TypeScript's `dom` library, whose ReadableStream lacks what Bun's has.
interface ReadableStream {
  text(): Promise<string>;
}
