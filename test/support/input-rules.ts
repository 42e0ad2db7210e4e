import { createGuessRules } from "../../src/auth/guessable.ts";
import type { InputRules } from "../../src/auth/input.ts";

/** The rules for what people send, as an empty configuration has them. */
export const inputRules: InputRules = {
  passwordMinLength: 8,
  signUpDomains: [],
  requireUnguessable: createGuessRules({ passwordCommon: "refuse", brandName: "latchkey" }),
};
