// Everything works without this script: it lets people see a password they type, and shows that a form is on its way.
for (const field of document.querySelectorAll(".password")) {
  const input = field.querySelector("input");
  const button = document.createElement("button");
  const spoken = document.createElement("span");
  button.type = "button";
  button.className = "reveal";
  button.setAttribute("aria-controls", input.id);
  spoken.className = "visually-hidden";
  spoken.setAttribute("aria-live", "polite");
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    button.textContent = visible ? "Hide" : "Show";
    button.setAttribute("aria-label", visible ? "Hide password" : "Show password");
  };
  show(false);
  button.addEventListener("click", () => {
    show(input.type === "password");
    spoken.textContent = input.type === "text" ? "Your password is visible" : "Your password is hidden";
  });
  // Password managers look for a password field at the moment of sending.
  input.form.addEventListener("submit", () => show(false));
  field.append(button, spoken);
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
