/** Ends a run with one plain line, and says which lanes this host could not run and why. */
export default class Summary {
  onRunComplete(_contexts, results) {
    const notRun = new Set();
    for (const { testResults } of results.testResults) {
      for (const { status, ancestorTitles } of testResults) {
        if (status !== 'pending') continue;
        const reason = /\[not run: (.*)\]/.exec(ancestorTitles.join(' '));
        if (reason !== null) notRun.add(reason[1]);
      }
    }
    for (const reason of notRun) console.log(`Not run on this host: ${reason}`);
    const suites = results.numRuntimeErrorTestSuites;
    const { numPassedTests, numFailedTests, numPendingTests } = results;
    console.log(
      `${numPassedTests} passed, ${numFailedTests + suites} failed, ${numPendingTests} skipped`,
    );
  }
}
