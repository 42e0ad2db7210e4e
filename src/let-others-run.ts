/** Resolves once the event loop has been round: what came in meanwhile is answered before this goes on. */
export async function letOthersRun(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
