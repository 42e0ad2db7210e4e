// Replaces the addresses that were fixed at build time, without a new build: edit the deployed copy of this file.
// What is left out keeps its value from the build.
//
// window.__SITE_URLS__ = {
//   latchkeyUrl: "https://auth.example.com",
//   apiUrl: "https://api.example.com",
// };
