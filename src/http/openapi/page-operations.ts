import { emptyAnswer, errorSchema, pageAnswer, setsCookies, startingSchema } from "./answers.ts";
import { type Answer, object, type Operation, type Operations, type Schema, text } from "./model.ts";

const optionalCookie = [{}, { cookie: [] }];
const redirect = emptyAnswer("On to another page.", {
  ...setsCookies,
  Location: { required: true, schema: { type: "string", format: "uri" } },
});
const inText = { "text/html": { schema: {} } };
const failures: Readonly<Record<string, Answer>> = {
  "4XX": {
    ...pageAnswer(
      "The page, or another, that says what is wrong; where the `Host` header cannot be used, JSON.",
    ),
    content: { ...inText, "application/json": { schema: errorSchema(["INVALID_HOST"]) } },
  },
  "5XX": {
    ...pageAnswer("A page that says so; from a server that is starting, JSON.", {
      "Retry-After": { schema: { type: "string", pattern: "^[0-9]+$" } },
    }),
    content: { ...inText, "application/json": { schema: startingSchema } },
  },
};
const page = pageAnswer("The page.", setsCookies);

const callbackUrl = {
  type: "string",
  description: "Where to go on to: on a trusted origin, or relative to the default redirect.",
};
const inQuery = { name: "callbackUrl", in: "query", schema: callbackUrl };

interface Page {
  readonly path: string;
  readonly name: string;
  readonly summary: string;
  /** What a GET answers when all is well. */
  readonly shows: "page" | "redirect" | "either";
  readonly takesCallback?: boolean;
  /** Its form's fields, those that may be absent behind a question mark; none: it takes no POST. */
  readonly form?: readonly string[];
}

/** The hosted pages, in short: they are for people. */
const pages: readonly Page[] = [
  {
    path: "/",
    name: "root",
    summary: "On to the account or the sign-in page",
    shows: "redirect",
    takesCallback: true,
  },
  {
    path: "/signin",
    name: "signInPage",
    summary: "Sign in",
    shows: "either",
    takesCallback: true,
    form: ["email", "password", "rememberMe?", "callbackUrl?"],
  },
  {
    path: "/signup",
    name: "signUpPage",
    summary: "Make an account",
    shows: "either",
    takesCallback: true,
    form: ["name", "email", "password", "callbackUrl?"],
  },
  {
    path: "/signout",
    name: "signOutPage",
    summary: "Sign out",
    shows: "either",
    takesCallback: true,
    form: ["next?", "callbackUrl?"],
  },
  { path: "/account", name: "accountPage", summary: "Name, password, devices and deletion", shows: "either" },
  {
    path: "/account/profile",
    name: "profileForm",
    summary: "Change the name",
    shows: "redirect",
    form: ["name"],
  },
  {
    path: "/account/password",
    name: "passwordForm",
    summary: "Change the password",
    shows: "redirect",
    form: ["currentPassword", "newPassword", "revokeOtherSessions?"],
  },
  {
    path: "/account/sessions/revoke",
    name: "revocationForm",
    summary: "Sign one device out",
    shows: "redirect",
    form: ["id"],
  },
  {
    path: "/account/sessions/revoke-others",
    name: "revocationsForm",
    summary: "Sign all other devices out",
    shows: "redirect",
    form: [],
  },
  {
    path: "/account/delete",
    name: "deletionForm",
    summary: "Delete the account",
    shows: "redirect",
    form: ["password"],
  },
];

function describePage({
  path,
  name,
  summary,
  shows,
  takesCallback = false,
  form,
}: Page): [string, Operation][] {
  const shared = { summary, tags: ["pages"], security: optionalCookie };
  const shown: Operation = {
    ...shared,
    operationId: name,
    ...(takesCallback ? { parameters: [inQuery] } : {}),
    responses: {
      ...(shows === "redirect" ? {} : { "200": page }),
      ...(shows === "page" ? {} : { "303": redirect }),
      ...failures,
    },
  };
  if (form === undefined) return [[`GET ${path}`, shown]];
  const sent: Operation = {
    ...shared,
    operationId: `${name}Submission`,
    requestBody: {
      required: true,
      content: { "application/x-www-form-urlencoded": { schema: formSchema(form) } },
    },
    responses: { "303": redirect, ...failures },
  };
  return [
    [`GET ${path}`, shown],
    [`POST ${path}`, sent],
  ];
}

function formSchema(fields: readonly string[]): Schema {
  const names = fields.map((field) => field.replace("?", ""));
  const optional = fields.filter((field) => field.endsWith("?")).map((field) => field.slice(0, -1));
  return object(
    Object.fromEntries(names.map((name) => [name, name === "callbackUrl" ? callbackUrl : text])),
    optional,
  );
}

/** What the pages load; its names change with the build. */
export const assetsPath = "/assets/{file}";

const asset: Operation = {
  operationId: "asset",
  summary: "A page's stylesheet, script or icon",
  tags: ["pages"],
  security: [],
  parameters: [
    {
      name: "file",
      in: "path",
      required: true,
      schema: { type: "string", pattern: "^latchkey-[0-9a-f]{16}\\.(?:css|js|svg)$" },
    },
  ],
  responses: {
    "200": {
      ...pageAnswer("The file.", { "Cache-Control": { required: true, schema: text } }),
      content: {
        "text/css": { schema: {} },
        "text/javascript": { schema: {} },
        "image/svg+xml": { schema: {} },
      },
    },
    ...failures,
  },
};

export const pageOperations: Operations = {
  ...Object.fromEntries(pages.flatMap(describePage)),
  [`GET ${assetsPath}`]: asset,
};
