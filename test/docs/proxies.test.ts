import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { load } from "../config/load.ts";
import { deployedCommand } from "../support/deployed-proxy.ts";
import { blockOf, runCode } from "../support/documented.ts";
import { freePort } from "../support/free-port.ts";
import { projectDirectory, readDocument } from "../support/readme.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const page = "docs/proxies.md";
const nginx = await deployedCommand("nginx");

test.skipIf(typeof nginx === "string")(
  `nginx answers certbot before it has a certificate, by the page's commands${typeof nginx === "string" ? ` (${nginx})` : ""}`,
  async () => {
    if (typeof nginx === "string") throw new Error(nginx);
    const directory = temporaryDirectory("nginx");
    chmodSync(directory, 0o755);
    const sites = join(directory, "conf.d");
    mkdirSync(sites);
    const [packages, folder = "", part = "", reload, certbot = "", whole = "", ...rest] = blockOf(
      page,
      "run: nginx certificate",
    )
      .trim()
      .split("\n");
    expect([packages, reload, rest]).toEqual([
      "apt-get install nginx certbot",
      "systemctl reload-or-restart nginx",
      ["nginx -t", "systemctl reload nginx"],
    ]);
    const here = (text: string) =>
      text.replaceAll("/var/www", directory).replaceAll("/etc/nginx/conf.d", sites);
    const cwd = join(projectDirectory, "deploy/nginx");
    const must = async (code: string) => {
      const { exitCode, stderr } = await runCode(here(code), { cwd });
      expect([exitCode, stderr]).toEqual([0, ""]);
    };
    await must(`${folder}\n${part}`);
    const file = join(sites, "latchkey.conf");
    const port = freePort();
    const first = here(readFileSync(file, "utf8"));
    expect(first).not.toContain("ssl");
    writeFileSync(file, first.replaceAll(/listen (\[::\]:)?80;/g, `listen $1${port};`));

    const [, webroot = "", name = ""] = /--webroot -w (\S+) -d (\S+)/.exec(certbot) ?? [];
    const challenges = join(here(webroot), ".well-known/acme-challenge");
    // As certbot, which makes no folder for what it is told to use.
    mkdirSync(join(challenges, ".."));
    mkdirSync(challenges);
    writeFileSync(join(challenges, "token"), "token.thumbprint");
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (one) => `${one}_temp_path ${directory}/${one};`,
    );
    const main = [
      ...(process.getuid?.() === 0 ? ["user root;"] : []),
      `daemon off; master_process off; pid ${directory}/pid; error_log ${directory}/error.log;`,
      `events {} http { access_log off; ${temporary.join(" ")} include ${sites}/*; }`,
    ];
    writeFileSync(join(directory, "nginx.conf"), main.join("\n"));
    const child = Bun.spawn([...nginx, "-c", join(directory, "nginx.conf")], { stderr: "pipe" });
    watchProcess(child.pid, "KILL");
    const ask = async () =>
      await fetch(`http://127.0.0.1:${port}/.well-known/acme-challenge/token`, {
        headers: { host: name },
      }).catch(() => null);
    let answer = await ask();
    while (answer === null && child.exitCode === null) {
      await Bun.sleep(20);
      answer = await ask();
    }
    expect(await answer?.text()).toBe("token.thumbprint");
    child.kill("SIGKILL");
    await child.exited;
    forgetProcess(child.pid);

    await must(whole);
    const shipped = readFileSync(join(cwd, "latchkey.conf"), "utf8");
    expect(readFileSync(file, "utf8")).toBe(shipped);
    expect(shipped).toContain(`/etc/letsencrypt/live/${name}/fullchain.pem`);
  },
);

test("the drop-in for a Unix socket is one of the unit's, with settings that can be used", () => {
  const [section, ...lines] = blockOf(page, "unit: socket").trim().split("\n");
  expect(section).toBe("[Service]");
  const settings = lines.flatMap((line) => /^Environment=(\w+)=(.+)$/.exec(line)?.slice(1, 3) ?? []);
  const { config } = load({ [settings[0] ?? ""]: settings[1] ?? "", [settings[2] ?? ""]: settings[3] ?? "" });
  expect(config).toMatchObject({ socket: { path: "/run/latchkey/latchkey.sock", group: "www-data" } });
  const unit = readFileSync(join(projectDirectory, "deploy/systemd/latchkey.service"), "utf8");
  // What the unit has already, the drop-in has not.
  expect(lines.filter((line) => unit.split("\n").includes(line))).toEqual([]);
  expect(unit).toContain("\nRuntimeDirectory=latchkey\n");
});

test("every part of a unit that a page shows is in a section", () => {
  const parts = [...new Bun.Glob("docs/*.md").scanSync(projectDirectory)].flatMap((path) =>
    readDocument(path).blocks.flatMap(({ marker, line, code }) =>
      /^(?:systemd|unit): /.test(marker) ? [{ at: `${path}:${line}`, code }] : [],
    ),
  );
  expect(parts.length).toBeGreaterThan(5);
  expect(parts.filter(({ code }) => !/^\[\w+\]\n/.test(code)).map(({ at }) => at)).toEqual([]);
});
