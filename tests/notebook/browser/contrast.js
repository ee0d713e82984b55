// The texts under `root` that stand out least: [contrast ratio, text], as WCAG 2.2 computes it (1.4.3), the lowest first.
root => {
  const parts = colour => {
    const found = colour.match(/[\d.]+/g).map(Number);
    const unit = colour.startsWith('color(srgb') ? 255 : 1;  // what color-mix gives counts from 0 to 1
    return { rgb: found.slice(0, 3).map(value => value * unit), alpha: found.length > 3 ? found[3] : 1 };
  };
  const over = (above, below) => below.map((value, index) => above.rgb[index] * above.alpha + value * (1 - above.alpha));
  const luminance = rgb => {
    const [red, green, blue] = rgb.map(value => value / 255).map(value =>
      value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = element => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.unshift(parts(getComputedStyle(one).backgroundColor));
    return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest('style')) continue;
    const back = behind(element);
    const style = getComputedStyle(element);
    const front = over(parts(element.closest('svg') ? style.fill : style.color), back);
    const [low, high] = [luminance(front), luminance(back)].sort((one, other) => one - other);
    found.push([(high + 0.05) / (low + 0.05), texts.currentNode.data.trim()]);
  }
  return found.sort((one, other) => one[0] - other[0]).slice(0, 5);
}
