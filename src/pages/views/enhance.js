// Everything works without this script. It lets people see a password they type and how much of it is missing, shows a
// form's button when there is something to send and that it is on its way, and tells the time in the visitor's zone.
for (const field of document.querySelectorAll(".password")) {
  const input = field.querySelector("input");
  const button = document.createElement("button");
  const spoken = document.createElement("span");
  const words = field.dataset;
  button.type = "button";
  button.className = "reveal";
  button.setAttribute("aria-controls", input.id);
  spoken.className = "visually-hidden";
  spoken.setAttribute("aria-live", "polite");
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    button.textContent = visible ? words.hide : words.show;
    button.setAttribute("aria-label", visible ? words.hidePassword : words.showPassword);
  };
  show(false);
  button.addEventListener("click", () => {
    show(input.type === "password");
    spoken.textContent = input.type === "text" ? words.visible : words.hidden;
  });
  // Password managers look for a password field at the moment of sending.
  input.form.addEventListener("submit", () => show(false));
  field.append(button, spoken);
  if (input.dataset.min) measure(field, input);
}

/** Says below a field how many characters a new password still needs. */
function measure(field, input) {
  const { min, missing, enough } = input.dataset;
  const measured = document.createElement("p");
  measured.className = "measure";
  measured.setAttribute("aria-live", "polite");
  input.addEventListener("input", () => {
    // As the server counts.
    const needed = Number(min) - [...input.value.normalize("NFKC")].length;
    field.parentElement.querySelector(".error")?.remove();
    input.removeAttribute("aria-invalid");
    field.parentElement.classList.remove("invalid");
    measured.textContent =
      input.value === "" ? "" : needed > 0 ? missing.replace("{count}", String(needed)) : enough;
    measured.classList.toggle("enough", needed <= 0);
    if (!measured.isConnected) field.after(measured);
  });
}

/** The forms whose button waits for a change; the one changed last has the primary. */
const waiting = [...document.querySelectorAll("form[data-waits]")];
for (const form of waiting) {
  const button = form.querySelector("button[type=submit]");
  button.hidden = form.dataset.waits === "change";
  form.addEventListener("input", () => {
    for (const other of waiting) {
      const { classList } = other.querySelector("button[type=submit]");
      classList.toggle("primary", other === form);
      classList.toggle("quiet", other !== form);
    }
    button.hidden = false;
  });
}

for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", () => {
    // What opened it is gone.
    if (details.open) details.querySelector("input:not([hidden], [type=hidden])").focus();
  });
  details.querySelector("[data-closes=details]").addEventListener("click", (event) => {
    event.preventDefault();
    details.open = false;
    details.querySelector("form").reset();
    details.querySelector("summary").focus();
  });
}

const zoned = new Intl.DateTimeFormat(document.documentElement.dataset.locale, {
  day: "numeric",
  month: "long",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
});
for (const time of document.querySelectorAll("time")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) time.textContent = zoned.format(at);
}

for (const form of document.querySelectorAll("form")) {
  const button = form.querySelector("button[type=submit]");
  if (!button) continue;
  const idle = button.textContent;
  const { busy } = button.dataset;
  const rest = () => {
    button.removeAttribute("aria-disabled");
    if (busy) button.textContent = idle;
  };
  form.addEventListener("submit", (event) => {
    if (button.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
      return;
    }
    button.setAttribute("aria-disabled", "true");
    if (busy) button.textContent = busy;
    // The answer replaces the page well before; this is for a visitor who stopped it.
    setTimeout(rest, 8_000);
  });
  // Back to a page that the browser kept as it was left.
  addEventListener("pageshow", rest);
}
