"""What scripts/test-ops-page asks of the page in JavaScript, where it is more than a line."""

# The page's own modules, asked for values that were worked out by hand: a hundred requests in two seconds by two
# overviews of one process, and nothing out of another's first one.
ARITHMETIC = """(async () => {
  const { Rates, percentile } = await import('/ops/ops-rates.js');
  const format = await import('/ops/ops-format.js');
  const overview = (id, ms, count) => ({ monotonic_ms: ms, process: { id, cpu_seconds: ms / 4000 },
    duration_bounds_ms: [1, 2, 4], upstreams: [], kinds: {},
    routes: [{ method: 'GET', route: '/r', may_wait: false, statuses: { 200: count, 503: count / 4 },
      buckets: [0, count, 0, 0] }] });
  const rates = new Rates();
  rates.take(overview('a', 1000, 8), 0);
  rates.take(overview('b', 50, 4000), 500);
  rates.take(overview('a', 3000, 88), 1000);
  const { requests, p50 } = rates.last;
  return [rates.points.length, requests, p50, rates.cpu, percentile([10, 10, 0, 0], [1, 2, 4], 0.75),
    percentile([0, 0], [1], 0.5), format.count(1234567), format.count(9999), format.rate(9.94), format.seconds(192),
    format.milliseconds(0.237), format.percent(0.0123), format.ago(1000, 6000)];
})()"""
EXPECTED = [1, [40, 0, 10], 1.5, 0.25, 1.5, None, "1.23\u202fM", "9,999", "9.9", "3\u202fmin 12\u202fs",
            "0.24\u202fms", "1.2\u202f%", "5\u202fs ago"]

# Texts whose contrast is below 4.5 (3 where they are large), as WCAG 2 computes it.
CONTRAST = """(() => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const over = (colours) => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = (colour) => over(['#fff', colour]).slice(0, 3)
    .reduce((sum, value, index) => sum + linear(value / 255) * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (over([colour])[3] === 255) return colour;
    }
    return '#fff';
  };
  const poor = [];
  for (const node of document.querySelectorAll('#app *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || node.closest('[hidden], .hidden, button:disabled, .skip') || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const colour = node.namespaceURI.endsWith('svg') ? style.fill : style.color;
    const [a, b] = [light(colour), light(behind(node))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    const isLarge = parseFloat(style.fontSize) >= 24;
    if (contrast < (isLarge ? 3 : 4.5)) poor.push(`${node.textContent.trim().slice(0, 20)} ${contrast.toFixed(2)}`);
  }
  return [...new Set(poor)];
})()"""
