/**
 * Bare `Bun.password.verify`, `concurrency` at once and without a server around it: a JSON order a line on stdin,
 * what was done a line on stdout.
 */
export interface Order {
  readonly hash: string;
  readonly password: string;
  readonly concurrency: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

async function measure({ hash, password, concurrency, warmUpMs, measureMs }: Order) {
  const startedAt = performance.now() + warmUpMs;
  const endsAt = startedAt + measureMs;
  const latenciesMs: number[] = [];
  let cpu = process.cpuUsage();
  setTimeout(() => (cpu = process.cpuUsage()), warmUpMs);
  const verifyInTurn = async () => {
    for (let now = performance.now(); now < endsAt; ) {
      if (!(await Bun.password.verify(password, hash))) throw new Error("the password does not verify");
      const then = performance.now();
      if (then >= startedAt && then < endsAt) latenciesMs.push(then - now);
      now = then;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, verifyInTurn));
  const { user, system } = process.cpuUsage(cpu);
  return { latenciesMs, cpuMicros: user + system };
}

console.log("ready");
for await (const line of console) {
  console.log(JSON.stringify(await measure(JSON.parse(line) as Order)));
}
