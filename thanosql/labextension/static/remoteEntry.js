// Colours %%thanosql cells in JupyterLab 4 and Notebook 7: a cell that begins with the magic gets a language of its own.
//
// This is the whole of a federated extension, written as it is loaded: JupyterLab asks a container for two functions,
// `init` (here is what is shared) and `get` (give me a module). So there is nothing to build and nothing to fetch.
(() => {
  "use strict";

  const MAGIC = /^\s*(?:%%(?:time|capture)\b.*\n\s*)*%%thanosql\b/;
  const OPENING = 200; // characters of a cell that may stand before its magic
  const ATOMS = new Set(["TRUE", "FALSE", "NULL"]);
  // scripts/make_highlighting.py writes these.
  // made: begin
  const KEYWORDS = new Set(
    (
      "ALIGN ALL ALTER ANALYZE AND ANY AS ASC AUDIO BEGIN BETWEEN BUILD BY CASE CAST CHECK COMMIT COPY " +
      "CREATE CROSS DATASET DATASETS DEFAULT DELETE DESC DESCRIBE DISTINCT DROP ELSE END EVALUATE EXCEPT " +
      "EXISTS EXPLAIN EXPORT FILTER FIRST FIT FROM FULL GET GRANT GROUP HAVING IF ILIKE IN INDEX INNER " +
      "INSERT INTERSECT INTERVAL INTO IS JOIN LAST LATERAL LEFT LIKE LIMIT LIST MODEL MODELS NOT NULLS " +
      "OFFSET ON OPTIONS OR ORDER OUTER OVER PARTITION PREDICT PREDICTION PREDICTIONS PRIMARY PRINT " +
      "RECURSIVE REFERENCES RETURNING REVOKE RIGHT ROLLBACK SELECT SET SHOW TABLE TABLES TEMP TEMPORARY " +
      "THANOSQL THEN TO TRUNCATE UNION UNIQUE UPDATE UPLOAD USING VACUUM VALUES VERSION VERSIONS VIEW WHEN " +
      "WHERE WITH "
    ).trim().split(" ")
  );
  const BASES = new Set(["HubertEn", "MMS", "ParakeetEn", "Wav2Vec2En", "Wav2Vec2Ko", "Wav2Vec2Tiny", "Wav2Vec2TinyKo"]);
  // made: end

  // Strings and comments may go over lines: `until` is what ends the one that the line begins in.
  const tokens = {
    name: "thanosql",
    startState: () => ({ until: null, kind: null, depth: 0 }),
    token(stream, state) {
      if (state.until) {
        return inside(stream, state);
      }
      if (stream.sol() && stream.match(/^\s*%%?(?:thanosql|time|capture)\b.*/)) return "meta";
      if (stream.eatSpace()) return null;
      if (stream.match("--")) {
        stream.skipToEnd();
        return "comment";
      }
      if (stream.match("/*")) return begin(stream, state, "*/", "comment");
      if (stream.match("'")) return begin(stream, state, "'", "string");
      if (stream.match('"')) return begin(stream, state, '"', "variableName.special");
      const tag = stream.match(/^\$(?:[A-Za-z_]\w*)?\$/);
      if (tag) return begin(stream, state, tag[0], "string");
      if (stream.match(/^::/)) return "operator";
      if (stream.match(/^:[A-Za-z_]\w*/)) return "variableName.special";
      if (stream.match(/^\d+(?:\.\d*)?(?:e[+-]?\d+)?/i)) return "number";
      const word = stream.match(/^[^\W\d][\w$]*/u) || stream.match(/^\p{L}[\p{L}\p{N}_$]*/u);
      if (word) {
        const upper = word[0].toUpperCase();
        if (KEYWORDS.has(upper)) return "keyword";
        if (ATOMS.has(upper)) return "atom";
        if (BASES.has(word[0])) return "typeName";
        return stream.match(/^\s*\(/, false) ? "variableName.standard" : "variableName";
      }
      stream.next();
      return null;
    },
    languageData: { commentTokens: { line: "--", block: { open: "/*", close: "*/" } } },
  };

  function begin(stream, state, until, kind) {
    Object.assign(state, { until, kind, depth: 0 });
    return inside(stream, state);
  }

  function inside(stream, state) {
    const kind = state.kind;
    while (!stream.eol()) {
      if (state.kind === "comment" && stream.match("/*")) {
        state.depth += 1;
      } else if (stream.match(state.until)) {
        if (state.depth === 0) {
          state.until = state.kind = null;
          break;
        }
        state.depth -= 1;
      } else {
        stream.next();
      }
    }
    return kind;
  }

  // The cell's language follows its text. It is said to the editor itself and before all others, so that an extension that
  // sets the language of every cell (jupysql's sets Python's) leaves ours its colours.
  function follow(state, language) {
    const ours = language.StreamLanguage.define(tokens);
    const said = language.language.computeN(["doc"], (editor) =>
      MAGIC.test(editor.doc.sliceString(0, OPENING)) ? [ours] : []
    );
    return state.Prec.highest(said);
  }

  function plugin(codemirror, state, language) {
    return {
      id: "thanosql:colours",
      description: "Colours %%thanosql cells",
      autoStart: true,
      requires: [codemirror.IEditorExtensionRegistry],
      activate: (app, extensions) => {
        const colours = follow(state, language);
        extensions.addExtension({
          name: "thanosql:colours",
          factory: () => codemirror.EditorExtensionRegistry.createImmutableExtension(colours),
        });
      },
    };
  }

  let shared = {};
  async function load(name) {
    const [version] = Object.values(shared[name]);
    return (await version.get())();
  }
  const container = {
    init(scope) {
      shared = scope;
    },
    async get() {
      const found = await Promise.all(
        ["@jupyterlab/codemirror", "@codemirror/state", "@codemirror/language"].map(load)
      );
      return () => ({ __esModule: true, default: plugin(...found) });
    },
  };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["thanosql"] = container;
})();
