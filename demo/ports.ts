/** @returns whether somebody listens on this machine's port, by either of the addresses that `localhost` is. */
export async function isTaken(port: number): Promise<boolean> {
  const listening = await Promise.all(["127.0.0.1", "::1"].map((hostname) => connects(hostname, port)));
  return listening.includes(true);
}

async function connects(hostname: string, port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname, port, socket: { data: () => {} } });
    socket.terminate();
    return true;
  } catch {
    return false;
  }
}
