// Work for the time in which the browser has nothing else to do.

const PART = 8; // milliseconds of a frame that go into it where the browser does not say how long it is idle
const LONGEST = 120; // milliseconds until it is done although the browser is busy

/** Calls `answer` with a deadline, as `requestIdleCallback` does. */
// What a browser without `requestIdleCallback` has instead: a part of a frame's time.
export const idle = (answer) => {
  if (globalThis.requestIdleCallback) return requestIdleCallback(answer, { timeout: LONGEST });
  return setTimeout(() => {
    const end = performance.now() + PART;
    answer({ timeRemaining: () => end - performance.now() });
  });
};
