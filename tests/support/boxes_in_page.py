"""What a reader of a dashboard would stumble over in the page: boxes that scroll, parts without a name, flicker."""

_ALL = "const all = one => [...one.querySelectorAll('*')].flatMap(e => [e, ...(e.shadowRoot ? all(e.shadowRoot) : [])])"

SCROLLING = f"""root => {{
  {_ALL}
  const right = root.getBoundingClientRect().right + 1, found = []
  for (const one of [root, ...all(root)]) {{
    if (!one.checkVisibility({{visibilityProperty: true}})) continue
    const style = getComputedStyle(one), box = one.getBoundingClientRect()
    const wide = one.scrollWidth > one.clientWidth, high = one.scrollHeight > one.clientHeight
    const say = what => found.push(`${{what}}: ${{one.tagName}} ${{one.className}} ${{one.textContent.slice(0, 40)}}`)
    if (wide && one.matches('.widget-box, .widget-html, .widget-html-content, .jp-OutputArea-output')) say('too wide')
    if (wide && /auto|scroll/.test(style.overflowX)) say('scrolls sideways')
    if (high && /auto|scroll/.test(style.overflowY) && !one.matches('textarea')) say('scrolls')
    if (box.width > 1 && box.right > right) say('cut off')
  }}
  return found
}}"""
"""What is wider than its box, scrolls or is cut off in an element, in words."""

FIGURES = """root => {
  const tab = root.querySelector('.sdexplore > .widget-tab > .widget-tab-contents'), style = getComputedStyle(tab)
  const room = tab.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)
  const found = [...tab.querySelectorAll('img.widget-image')]
    .filter(one => one.checkVisibility() && !one.closest('.sdexplore-square'))
  return found.map(one => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d')
    canvas.drawImage(one, 0, 0)
    const own = parseFloat(one.style.width)
    return {
      room, own, alt: one.alt, shown: one.getBoundingClientRect().width,
      dark: canvas.getImageData(0, 0, 1, 1).data[0] < 60,
    }
  })
}"""
"""Of each figure in the open section: its width, the width that is there, and whether it is dark."""

UNDESCRIBED = f"""root => {{
  {_ALL}
  return all(root).filter(one => one.tagName === 'IMG' && one.checkVisibility() && !one.alt).map(one => one.className)
}}"""

TOPS = """root => {
  const screen = root.closest('.jp-WindowedPanel-outer')
  screen.scrollTop += root.getBoundingClientRect().top - screen.getBoundingClientRect().top
  const from = screen.getBoundingClientRect()
  const run = [...root.querySelectorAll('button')].find(one => one.textContent.trim() === 'Run')
  const head = root.querySelector('.widget-tab-contents').getBoundingClientRect().top + 100 - from.top
  const parts = {run, picture: root.querySelector('img.widget-image'), tabs: root.querySelector('.lm-TabBar')}
  const place = one => { const box = one.getBoundingClientRect(); return [box.top - from.top, box.bottom - from.top] }
  const inside = Object.fromEntries(Object.entries(parts).map(([name, one]) => [name, place(one)]))
  return { screen: screen.clientHeight, inside: { ...inside, head: [0, head] } }
}"""
"""Where parts of the dashboard stand on the screen that begins with it: [top, bottom] in pixels of each."""

FOCUSED = """() => {
  let one = document.activeElement
  while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement
  const style = getComputedStyle(one), label = one.labels?.[0]?.textContent ?? one.getAttribute('aria-label')
  const name = (label ?? one.textContent).trim()
  const visible = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
  return { name, visible, role: one.getAttribute('role') ?? one.tagName }
}"""
"""The name of what has the focus, and whether that can be seen."""

FRAMES = """one => {
  window.frames_seen = []
  const look = () => {
    window.frames_seen.push([one.src, one.getBoundingClientRect().height, one.complete && one.naturalWidth > 0])
    requestAnimationFrame(look)
  }
  look()
}"""
"""Notes in each frame from now on the source and the height of a picture, and whether it is there."""

_CONTROLS = {"button", "textbox", "spinbutton", "slider", "combobox", "checkbox", "radio", "tab", "image"}


class Names:
    """The accessible names that Chromium computes, as a screen reader gets them."""

    def __init__(self, page, expression):
        self._session, self._expression = page.context.new_cdp_session(page), expression
        for domain in ("DOM", "Accessibility"):
            self._session.send(f"{domain}.enable")

    def controls(self):
        """(role, name) of each control, and of what else takes the focus."""
        found = self._session.send("Runtime.evaluate", {"expression": self._expression})["result"]["objectId"]
        for node in self._session.send("Accessibility.queryAXTree", {"objectId": found})["nodes"]:
            role = node.get("role", {}).get("value")
            takes_focus = any(one["name"] == "focusable" for one in node.get("properties", []))
            if not node["ignored"] and (role in _CONTROLS or takes_focus):
                yield role, node.get("name", {}).get("value", "").strip()
