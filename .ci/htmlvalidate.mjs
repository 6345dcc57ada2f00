// Rules for the HTML of the recipients' pages: everything that html-validate recommends, and whole documents.
export default {
  root: true,
  extends: ["html-validate:recommended", "html-validate:document"],
  rules: {
    // Off: the limit is that of search engines, which see nothing of this site. A title begins with what is special about
    // the page, for those who hear it read; a message's page is named by its subject, which may have any length.
    "long-title": "off",
    // Numbers are kept in one piece by the style sheet, so that they are copied as they are written.
    "tel-non-breaking": ["error", {ignoreClasses: ["nowrap"]}],
    // What went wrong, or was done, stands above the page's own heading: it is what somebody who hears the page needs first.
    "heading-level": ["error", {minInitialRank: "h2"}],
    // Style sheet and script come from the same server as the page, whose digest would come from there too.
    "require-sri": ["error", {target: "crossorigin"}],
  },
};
