DROP TABLE orphan;
DROP TABLE deployment_request;
DROP TABLE deployment_event;
DROP TABLE deployment_serving;
DROP TABLE deployment_revision;
DROP TABLE deployment;
DROP TABLE registry_installation;
