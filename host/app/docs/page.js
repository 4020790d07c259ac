"use strict";
// Shows /openapi.json and tries its routes out. Texts go into the page as text, never as markup.
(() => {
  const METHODS = ["get", "head", "post", "put", "patch", "delete", "options"];
  let api = {};

  const make = (tag, attributes, ...inside) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "class") node.className = value;
      else if (name in node) node[name] = value;
      else node.setAttribute(name, value);
    }
    node.append(...inside.filter((one) => one !== null && one !== undefined));
    return node;
  };

  const resolve = (thing) => {
    if (!thing || !thing.$ref) return thing || {};
    return thing.$ref.replace(/^#\//, "").split("/").reduce((at, name) => at[name], api);
  };

  // --- schemas -------------------------------------------------------------------------------------

  const limits = (s, min, max, what) => {
    if (s[min] !== undefined && s[max] !== undefined) return `${s[min]} to ${s[max]}${what}`;
    if (s[min] !== undefined) return `at least ${s[min]}${what}`;
    return s[max] !== undefined ? `at most ${s[max]}${what}` : "";
  };

  const kind = (schema) => {
    const s = resolve(schema);
    if (s.enum) return s.enum.map((one) => JSON.stringify(one)).join(" | ");
    if (s.oneOf) return s.oneOf.map((one) => one.title || kind(one)).join(" | ");
    if (s.type === "array") return `list of ${kind(s.items)}`;
    if (s.type === "object" && s.additionalProperties) return `map of ${kind(s.additionalProperties)}`;
    if (!s.type) return "any";
    return s.format || [].concat(s.type).join(" or ");
  };

  const about = (schema) => {
    const s = resolve(schema);
    return [
      limits(s, "minimum", "maximum", ""), limits(s, "minLength", "maxLength", " characters"),
      limits(s, "minItems", "maxItems", " items"), s.pattern && `matches ${s.pattern}`,
      s.default !== undefined && `default ${JSON.stringify(s.default)}`, s.description,
    ].filter(Boolean).join("; ");
  };

  const rows = (schema, at, needed, out) => {
    const s = resolve(schema);
    if (at) {
      out.push(make("tr", {}, make("td", {}, make("code", { class: needed ? "needed" : "" }, at)),
        make("td", { class: "soft" }, kind(s)), make("td", {}, about(s))));
    }
    for (const [name, inner] of Object.entries(s.properties || {})) {
      rows(inner, at ? `${at}.${name}` : name, (s.required || []).includes(name), out);
    }
    for (const variant of s.oneOf || []) {
      rows(variant, `${at}<${variant.title || ""}>`, false, out);
    }
    if (s.items && (resolve(s.items).properties || resolve(s.items).oneOf)) {
      rows(s.items, `${at}[]`, false, out);
    }
    return out;
  };

  const table = (schema) => {
    const lines = rows(schema, "", false, []);
    return lines.length ? make("table", {}, make("tbody", {}, ...lines))
      : make("p", { class: "soft" }, [kind(schema), about(schema)].filter(Boolean).join("; "));
  };

  // A value that fits; what is optional is left out unless it has a default.
  const example = (schema) => {
    const s = resolve(schema);
    if (s.default !== undefined) return s.default;
    if (s.examples) return s.examples[0];
    if (s.enum) return s.enum[0];
    if (s.oneOf) return example(s.oneOf[0]);
    if (s.type === "object") {
      const out = {};
      for (const [name, inner] of Object.entries(s.properties || {})) {
        if ((s.required || []).includes(name) || inner.default !== undefined) out[name] = example(inner);
      }
      return out;
    }
    if (s.type === "array") return Array.from({ length: s.minItems || 0 }, () => example(s.items));
    if (s.type === "boolean") return false;
    if (s.type === "integer" || s.type === "number") return s.minimum ?? Math.min(0, s.maximum ?? 0);
    if (s.format === "date-time") return new Date().toISOString();
    if (s.format === "uri") return "https://example.com/";
    return s.type === "string" ? "a".repeat(s.minLength || 1) : null;
  };

  // --- the form ------------------------------------------------------------------------------------

  // { node, value }: value() is undefined for what was left empty, and throws for what is no JSON.
  const input = (schema, needed, given) => {
    const s = resolve(schema);
    const value = given !== undefined ? given : s.default;
    if (s.enum || s.type === "boolean") {
      const choices = s.enum || [true, false];
      const node = make("select", {}, ...(needed ? [] : [make("option", { value: "" }, "")]),
        ...choices.map((one, i) => make("option", { value: String(i) }, String(one))));
      const chosen = choices.indexOf(value);
      if (chosen >= 0) node.value = String(chosen);
      return { node, value: () => (node.value === "" ? undefined : choices[Number(node.value)]) };
    }
    if (s.type === "string") {
      const node = make("input", { value: value ?? "", spellcheck: false });
      return { node, value: () => (node.value === "" && !needed ? undefined : node.value) };
    }
    if (s.type === "integer" || s.type === "number") {
      const node = make("input", { type: "number", step: "any", value: value ?? "" });
      return { node, value: () => (node.value === "" ? undefined : Number(node.value)) };
    }
    const node = make("textarea", { value: value === undefined ? "" : JSON.stringify(value, null, 2), spellcheck: false });
    return { node, value: () => (node.value.trim() === "" ? undefined : JSON.parse(node.value)) };
  };

  const field = (name, schema, needed, made) => make("label", { title: about(schema) },
    make("span", {}, make("code", { class: needed ? "needed" : "" }, name), " ",
      make("small", { class: "soft" }, kind(schema))), made.node);

  // A record of plain values has a field each; anything else is one text of JSON.
  const bodyInput = (schema) => {
    const s = resolve(schema);
    const raw = () => input({}, true, example(s));
    if (s.type !== "object" || !s.properties || !Object.keys(s.properties).length) return raw();
    const needed = s.required || [];
    const fields = Object.entries(s.properties).map(([name, inner]) =>
      [name, inner, input(inner, needed.includes(name), needed.includes(name) ? example(inner) : undefined)]);
    const node = make("fieldset", {}, make("legend", { class: "soft" }, "body"),
      ...fields.map(([name, inner, made]) => field(name, inner, needed.includes(name), made)));
    return {
      node,
      value: () => Object.fromEntries(fields.map(([name, , made]) => [name, made.value()])
        .filter(([, one]) => one !== undefined)),
    };
  };

  const textOf = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

  const tryOut = (method, path, operation) => {
    const parameters = (operation.parameters || []).map((p) => {
      const schema = p.schema || p.content["application/json"].schema;
      return { ...p, schema, made: input(schema, p.required, p.required ? example(schema) : undefined) };
    });
    const content = (operation.requestBody || {}).content || {};
    const types = Object.keys(content);
    const type = make("select", {}, ...types.map((one) => make("option", {}, one)));
    const place = make("div");
    let body = null;
    const choose = () => {
      const schema = resolve((content[type.value] || {}).schema);
      const json = /[/+]json$/.test(type.value);
      body = json ? bodyInput(schema) : input({ type: "" }, false);
      if (!json) {
        body.node.value = /ndjson$/.test(type.value) ? `${JSON.stringify(example(schema))}\n` : "";
        body.value = () => body.node.value;
      }
      body.json = json;
      place.replaceChildren(body.node);
    };
    if (types.length) choose();
    type.addEventListener("change", choose);

    const send = make("button", { class: "main", type: "submit" }, "Send");
    const stop = make("button", { type: "button", disabled: true }, "Stop");
    const out = make("div", { "aria-live": "polite" });
    let abort = null;
    stop.addEventListener("click", () => abort && abort.abort());

    const request = () => {
      let target = path;
      const query = new URLSearchParams();
      const headers = {};
      for (const p of parameters) {
        const value = p.made.value();
        if (value === undefined) continue;
        if (p.in === "path") {
          const text = encodeURIComponent(textOf(value));
          target = target.replace(`{${p.name}}`, p["x-rest"] ? text.replaceAll("%2F", "/") : text);
        } else if (p.in === "query" && Array.isArray(value)) {
          for (const one of value) query.append(p.name, textOf(one));
        } else if (p.in === "query") {
          query.append(p.name, textOf(value));
        } else {
          headers[p.name] = textOf(value);
        }
      }
      if (query.size || String(query)) target += `?${query}`;
      const token = document.getElementById("token").value;
      if (token) headers.authorization = `Bearer ${token}`;
      let data;
      if (body) {
        const value = body.value();
        data = body.json ? (value === undefined ? undefined : JSON.stringify(value)) : value;
        if (data !== undefined) headers["content-type"] = type.value;
      }
      return [target, { method: method.toUpperCase(), headers, body: data }];
    };

    const curl = (target, given) => ["curl -i", given.method === "GET" ? "" : `-X ${given.method}`,
      ...Object.entries(given.headers).map(([name, value]) =>
        `-H ${quoted(`${name}: ${name === "authorization" ? "Bearer $TOKEN" : value}`)}`),
      given.body === undefined ? "" : `-d ${quoted(given.body)}`,
      quoted(location.origin + target)].filter(Boolean).join(" ");

    const show = async (response, began) => {
      const heads = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
      const text = make("pre");
      out.replaceChildren(...out.childNodes,
        make("h3", {}, "Answer"),
        make("p", { class: response.ok ? "ok" : "bad" }, `${response.status} ${response.statusText} `,
          make("span", { class: "soft" }, `in ${Math.round(performance.now() - began)} ms`)),
        make("details", {}, make("summary", { class: "soft" }, "headers"), make("pre", {}, heads)), text);
      const live = /event-stream|ndjson/.test(response.headers.get("content-type") || "");
      if (!live) {
        const whole = await response.text();
        try {
          text.textContent = JSON.stringify(JSON.parse(whole), null, 2);
        } catch (_) {
          text.textContent = whole;
        }
        return;
      }
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text.textContent = (text.textContent + part.value).slice(-100000);
        text.scrollTop = text.scrollHeight;
      }
    };

    const form = make("form", {},
      ...parameters.map((p) => field(`${p.name}${p.in === "path" ? "" : ` (${p.in})`}`, p.schema, p.required, p.made)),
      types.length > 1 ? make("label", {}, make("span", {}, "media type"), type) : null,
      place, make("div", { class: "actions" }, send, stop));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      out.replaceChildren();
      try {
        const [target, given] = request();
        out.replaceChildren(make("h3", {}, "As a command"), make("pre", {}, curl(target, given)));
        abort = new AbortController();
        send.disabled = true;
        stop.disabled = false;
        const began = performance.now();
        await show(await fetch(target, { ...given, signal: abort.signal }), began);
      } catch (why) {
        if (why.name !== "AbortError") out.append(make("p", { class: "bad" }, String(why.message || why)));
      } finally {
        send.disabled = false;
        stop.disabled = true;
      }
    });
    return make("div", {}, make("h3", {}, "Try it out"), form, out);
  };

  // --- the page ------------------------------------------------------------------------------------

  const answers = (operation) => make("table", {}, make("tbody", {},
    ...Object.entries(operation.responses || {}).map(([status, given]) => {
      const r = resolve(given);
      const media = Object.entries(r.content || {});
      const schema = media.length && media[0][1].schema;
      const own = schema && !given.$ref;
      return make("tr", {}, make("td", {}, make("code", {}, status)),
        make("td", {}, r.description || "", own ? make("div", {}, make("small", { class: "soft" }, media[0][0]), table(schema)) : null));
    })));

  const inside = (method, path, operation) => {
    const parameters = operation.parameters || [];
    const content = Object.entries((operation.requestBody || {}).content || {});
    const elsewhere = (api.servers || [{ url: "" }])[0].url;
    return make("div", {},
      operation.description ? make("p", {}, operation.description) : null,
      parameters.length ? make("h3", {}, "Parameters") : null,
      parameters.length ? make("table", {}, make("tbody", {}, ...parameters.map((p) => {
        const schema = p.schema || p.content["application/json"].schema;
        return make("tr", {}, make("td", {}, make("code", { class: p.required ? "needed" : "" }, p.name)),
          make("td", { class: "soft" }, `${p.in}, ${kind(schema)}`),
          make("td", {}, [p.description, about(schema)].filter(Boolean).join("; ")));
      }))) : null,
      ...content.flatMap(([type, given]) => [make("h3", {}, `Body: ${type}`), table(given.schema || {})]),
      make("h3", {}, "Answers"), answers(operation),
      elsewhere && location.origin !== elsewhere
        ? make("p", {}, "This listener has no routes. Try it out at ", make("a", { href: `${elsewhere}/docs` }, `${elsewhere}/docs`), ".")
        : tryOut(method, path, operation));
  };

  const route = (method, path, operation) => {
    const roles = (operation.security || []).flatMap((one) => one.bearer || []);
    const node = make("details", { class: "route", id: operation.operationId || "" },
      make("summary", {}, make("span", { class: `method ${method}` }, method.toUpperCase()),
        make("span", { class: "path" }, path), make("span", { class: "soft" }, operation.summary || ""),
        roles.length ? make("span", { class: "soft", title: "needs a token" }, `\u{1F512} ${roles.join(", ")}`) : null));
    // Made when it is opened: a process may have hundreds of routes.
    node.addEventListener("toggle", () => {
      if (node.open && node.childNodes.length === 1) node.append(inside(method, path, operation));
    });
    node.words = `${method} ${path} ${operation.summary || ""}`.toLowerCase();
    return node;
  };

  const show = () => {
    const info = api.info || {};
    document.title = `${info.title}: API`;
    document.getElementById("title").textContent = info.title;
    document.getElementById("about").textContent = info.description || "";
    const byTag = new Map((api.tags || []).map((tag) => [tag.name, []]));
    for (const [path, methods] of Object.entries(api.paths || {})) {
      for (const method of METHODS.filter((one) => methods[one])) {
        const tag = (methods[method].tags || ["routes"])[0];
        if (!byTag.has(tag)) byTag.set(tag, []);
        byTag.get(tag).push(route(method, path, methods[method]));
      }
    }
    const parts = [...byTag].map(([name, nodes]) => {
      const tag = (api.tags || []).find((one) => one.name === name) || {};
      return make("section", {}, make("h2", {}, name, " ", make("small", {}, tag.description || "")), ...nodes);
    });
    document.getElementById("routes").replaceChildren(...parts);
    const linked = location.hash && document.getElementById(location.hash.slice(1));
    if (linked) linked.open = true;
  };

  document.getElementById("find").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const section of document.querySelectorAll("section")) {
      let any = false;
      for (const node of section.querySelectorAll("details.route")) {
        node.hidden = !words.every((word) => node.words.includes(word));
        any = any || !node.hidden;
      }
      section.hidden = !any;
    }
  });

  fetch("/openapi.json").then((response) => response.json()).then((found) => {
    api = found;
    show();
  }).catch((why) => {
    document.getElementById("routes").textContent = `openapi.json cannot be read: ${why.message}`;
  });
})();
