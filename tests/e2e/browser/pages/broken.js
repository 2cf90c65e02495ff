// Does what no page of ours may: it complains, it throws, it reaches out of its window, and it keeps all it ever gets.

console.error("something is wrong");
document.querySelector("#wide").style.width = "3000px";
setTimeout(() => {
  throw new Error("nobody catches me");
});

const kept = [];
window.leak = (count) => {
  for (let number = 0; number < count; number += 1) {
    const node = document.createElement("p");
    node.addEventListener("click", () => kept.length);
    kept.push([node, new Float64Array(16)]);
  }
};
