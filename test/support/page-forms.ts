import type { Page } from "playwright-core";

export const password = "correct horse battery";
let people = 0;
export const newEmail = () => `visitor-${(people += 1)}@example.com`;

export const field = (page: Page, label: string) => page.getByLabel(label, { exact: true });
export const press = (page: Page, name: string) =>
  Promise.all([page.waitForEvent("load"), page.getByRole("button", { name, exact: true }).click()]);

/** Fills in and sends the sign-up page. */
export async function signUp(page: Page, email = newEmail()): Promise<string> {
  await field(page, "Name").fill("Ann Example");
  await field(page, "Email").fill(email);
  await field(page, "Password").fill(password);
  await press(page, "Create account");
  return email;
}
