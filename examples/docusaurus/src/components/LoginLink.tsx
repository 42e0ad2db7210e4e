import { useLocation } from "@docusaurus/router";
import type { ComponentProps, ReactNode } from "react";
import { signInUrl } from "../site-urls";

/** To latchkey's sign-in page and back to this very page. For the browser only: it needs the address bar. */
export default function LoginLink(props: Omit<ComponentProps<"a">, "href" | "onClick">): ReactNode {
  useLocation(); // renders anew on navigation, so that "Copy link" and "Open in new tab" are right as well
  return (
    <a
      {...props}
      href={signInUrl(window.location.href)}
      onClick={(event) => {
        // The address may have changed without the router's knowledge (history.replaceState).
        event.currentTarget.href = signInUrl(window.location.href);
      }}
    />
  );
}
