// How the OHIF viewer meets this archive. Its own address tells where everything is, whatever path a proxy puts
// before it: this file is …/viewer/app-config.js, and DICOMweb is …/dicom-web.
(() => {
  const here = new URL(".", document.currentScript.src);
  const dicomWeb = new URL("../dicom-web", here).pathname;

  console.time("scriptToView"); // the viewer ends it
  window.PUBLIC_URL = new URL({{ (build + "/")|tojson }}, here).pathname;
  window.browserImportFunction = (name) => import(name);
  window.config = {
    name: "filmroom",
    routerBasename: here.pathname.replace(/\/$/, ""),
    extensions: [],
    modes: [],
    customizationService: {},
    showStudyList: true,
    maxNumberOfWebWorkers: 3,
    showWarningMessageForCrossOrigin: false,
    showCPUFallbackMessage: true,
    showLoadingIndicator: true,
    strictZSpacingForVolumeViewport: true,
    groupEnabledModesFirst: true,
    maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
    showErrorDetails: "production",
    investigationalUseDialog: { option: {{ notice|tojson }} },
    defaultDataSourceName: "dicomweb",
    dataSources: [
      {
        namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
        sourceName: "dicomweb",
        configuration: {
          friendlyName: "Filmroom",
          name: "filmroom",
          qidoRoot: dicomWeb,
          wadoRoot: dicomWeb,
          wadoUriRoot: new URL("../wado", here).pathname,
          qidoSupportsIncludeField: true,
          supportsFuzzyMatching: true,
          supportsWildcard: true,
          imageRendering: "wadors",
          thumbnailRendering: "thumbnail",
          thumbnailRequestStrategy: "fetch",
          enableStudyLazyLoad: true,
          dicomUploadEnabled: true,
          omitQuotationForMultipartRequest: true,
          singlepart: "bulkdata,pdf,video",
          bulkDataURI: { enabled: true, relativeResolution: "studies" },
        },
      },
    ],
  };
})();
