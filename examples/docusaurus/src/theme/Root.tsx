import type { Props } from "@theme/Root";
import type { ReactNode } from "react";
import { AccountProvider } from "../account";

/** Docusaurus keeps this mounted from page to page. */
export default function Root({ children }: Props): ReactNode {
  return <AccountProvider>{children}</AccountProvider>;
}
