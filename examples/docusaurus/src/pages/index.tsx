import Link from "@docusaurus/Link";
import useDocusaurusContext from "@docusaurus/useDocusaurusContext";
import Heading from "@theme/Heading";
import Layout from "@theme/Layout";
import type { ReactNode } from "react";

export default function Home(): ReactNode {
  const { siteConfig } = useDocusaurusContext();
  return (
    <Layout description={siteConfig.tagline}>
      <main className="container padding-vert--xl">
        <Heading as="h1">{siteConfig.title}</Heading>
        <p className="hero__subtitle">{siteConfig.tagline}.</p>
        <Link className="button button--primary button--lg" to="/docs/intro">
          Start reading
        </Link>
      </main>
    </Layout>
  );
}
