import Link from "@docusaurus/Link";
import useDocusaurusContext from "@docusaurus/useDocusaurusContext";
import CodeBlock from "@theme/CodeBlock";
import Heading from "@theme/Heading";
import Layout from "@theme/Layout";
import ThemedImage from "@theme/ThemedImage";
import type { ReactNode } from "react";
import signInDark from "../../../docs/screenshots/sign-in-dark.png";
import signInLight from "../../../docs/screenshots/sign-in-light.png";
import styles from "./index.module.css";

/** Its commands and its code stand in README.md, where tests run them. */
export default function Home(): ReactNode {
  const { siteConfig } = useDocusaurusContext();
  return (
    <Layout description={siteConfig.tagline}>
      <main className="container padding-vert--lg">
        <div className={styles.first}>
          <div>
            <Heading as="h1">{siteConfig.title}</Heading>
            <p className="hero__subtitle">{siteConfig.tagline}.</p>
            <p>
              With a database inside, made for sites that have a static front end and an API of their own. It
              serves BetterAuth's routes, so BetterAuth's own client works with it; it is for people who would
              rather run a program than build one.
            </p>
            <CodeBlock language="bash">
              {"npx --yes bun@1.4.5 run start\nnpx --yes bun@1.4.5 run test"}
            </CodeBlock>
            <p>The first installs, compiles and runs the server on port 3001. The second runs every test.</p>
            <Link className="button button--primary button--lg" to="/docs">
              Five minutes
            </Link>
          </div>
          <ThemedImage
            className={styles.picture}
            alt="latchkey's sign-in page: a field for the email, one for the password, and a button"
            sources={{ light: signInLight, dark: signInDark }}
          />
        </div>

        <Heading as="h2">Use it from</Heading>
        <div className={styles.cards}>
          <section>
            <Heading as="h3">a docs site</Heading>
            <p>A link is enough. People come back to the very page they left, and the navbar knows them:</p>
            <CodeBlock language="ts">{'{ type: "custom-latchkeyAccount", position: "right" },'}</CodeBlock>
            <Link to="/docs/examples/docusaurus">Docusaurus, as on this site</Link>
          </section>
          <section>
            <Heading as="h3">FastAPI</Heading>
            <p>Who is signed in is a dependency: 401 for nobody, 503 when nobody can tell.</p>
            <CodeBlock language="python">{"async def me(visitor: SignedIn):"}</CodeBlock>
            <Link to="/docs/#fastapi">The whole file</Link>
          </section>
          <section>
            <Heading as="h3">anything else</Heading>
            <p>Ask with the visitor's cookie, at every request. It is fast, and exact.</p>
            <CodeBlock language="bash">curl -b cookies.txt http://localhost:3001/api/auth/verify</CodeBlock>
            <Link to="/docs/clients">Vite, plain HTML, Hono, Express, Python</Link>
          </section>
        </div>

        <Heading as="h2">Where to go on</Heading>
        <ul>
          <li>
            <Link to="/docs/configuration">Set it up</Link> for <Link to="/docs/domains">three domains</Link>,
            behind <Link to="/docs/proxies">a proxy</Link>
          </li>
          <li>
            <Link to="/docs/operations">Run it</Link>: users, backups, mail, monitoring
          </li>
          <li>
            <Link to="/docs/troubleshooting">Mend it</Link>, by what somebody says
          </li>
          <li>
            <Link to="/docs/moving">Move to it</Link> from BetterAuth, PocketBase, Supabase, Kratos, Firebase
          </li>
          <li>
            <Link to="/docs/security">Trust it</Link>: what is defended, and how
          </li>
        </ul>
      </main>
    </Layout>
  );
}
