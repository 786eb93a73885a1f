/* How the search orders its results. Pages that explain a thing come before those that compare
   libraries, and these before pages about the project, where a word is mentioned in passing. A page
   with a word of the query in its title keeps its place. */
{
  const LATER = [
    [/^coming_from_|^comparison$/, 0.5],
    [/^(changelog|contributing|design|testing)$/, 0.2],
  ];

  const words = (text) => text.toLowerCase().split(/\W+/).filter((word) => word.length > 4);
  const asked = new Set(words(new URLSearchParams(location.search).get("q") ?? ""));

  var Scorer = {
    score: ([page, title, anchor, description, score]) => {
      const named = words(title).some((word) => asked.has(word));
      const later = LATER.find(([pages]) => pages.test(page));
      return later && !named ? score * later[1] : score;
    },
    // The rest is what Sphinx has.
    objNameMatch: 11,
    objPartialMatch: 6,
    objPrio: { 0: 15, 1: 5, 2: -5 },
    objPrioDefault: 0,
    title: 15,
    partialTitle: 7,
    term: 5,
    partialTerm: 2,
  };
}
